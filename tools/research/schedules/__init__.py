"""Research that is repeated at certain times, under a ceiling of cost for each month."""
