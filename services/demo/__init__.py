"""A made-up house with two years of complaints, for whoever wants to look around."""
