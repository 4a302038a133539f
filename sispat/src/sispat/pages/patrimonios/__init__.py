"""Assets: list, card, and the forms that register, correct and hand over."""
