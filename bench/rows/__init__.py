"""One module a row of the table in bench/README.md."""
