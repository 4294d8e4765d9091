"""``python -m brightspots.simulate`` writes the nation that ships as a sample."""

from brightspots.simulate.nation import main

if __name__ == "__main__":
    main()
