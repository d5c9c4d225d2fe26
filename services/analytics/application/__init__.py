"""The use cases: record events as rows, answer with figures, make the rows anew."""
