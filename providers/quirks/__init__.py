"""What single vendors want otherwise: pure functions, each with a link to the page that says so."""
