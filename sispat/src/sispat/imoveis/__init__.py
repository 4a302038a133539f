"""Land and buildings of the city: registered, dedicated to a use, corrected, alienated."""
