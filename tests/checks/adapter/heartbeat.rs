// The real server has its own.
