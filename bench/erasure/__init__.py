"""People full of marks, a running amends that erases half of them, and the search for what is left."""
