"""Speed beside what a user would take instead; `make bench` runs it all and writes docs/performance.md."""
