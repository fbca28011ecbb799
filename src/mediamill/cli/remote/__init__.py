"""A server as a command sees it: requests, sign-in, jobs that are followed, archives read afar."""
