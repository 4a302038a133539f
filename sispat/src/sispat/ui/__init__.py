"""What every page is made of: layout, forms, history, the pages for errors and signing in. No JavaScript needed."""
