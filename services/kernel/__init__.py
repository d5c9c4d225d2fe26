"""What at least two services need and no complaint is mentioned in."""
