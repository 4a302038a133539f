"""What a person sees when something went wrong."""
