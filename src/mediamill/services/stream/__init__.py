"""Files and jobs that come by a stream."""
