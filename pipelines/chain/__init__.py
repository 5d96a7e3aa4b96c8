"""Each command as a person meets it: what was done, where the page is, and what comes next."""
