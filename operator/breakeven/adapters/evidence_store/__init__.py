"""What was scraped, kept small: batches and increments of each replica until no window needs them."""
