"""Labels: a QR code and the plate number for each asset, on sheets or on a roll."""
