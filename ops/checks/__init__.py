"""What `doctor` looks at, a module for each kind of thing; `checkup` puts them in order."""
