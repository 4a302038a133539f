"""What anybody may see without an account: the page of an asset by its QR code, and whether a termo is genuine."""
