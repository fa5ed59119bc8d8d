"""What runs inside the boundary, by whichever interpreter the candidate gets: standard library only, Python 3.9 on."""
