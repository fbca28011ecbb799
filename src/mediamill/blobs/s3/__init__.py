"""Objects in a bucket of S3 or of what speaks its protocol.

    s3://bucket/folder?region=…&endpoint=…&encryption=aws:kms&kms_key=…&checksum=none

`encryption` is `AES256` (SSE-S3) unless given; `none` leaves it to the bucket. Every request that
writes carries a SHA-256 that the server checks; `checksum=none` is for servers that know none. A
reader whose connection breaks goes on where it was, of the same version of the object.

Credentials are found where obstore finds them: `AWS_…` variables, a web identity, the machine's
role. Needs `s3:ListBucket`, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`,
`s3:AbortMultipartUpload`, and a lifecycle rule that aborts multipart uploads after a day.
"""

from mediamill.blobs.s3.store import S3Blobs

plugin = S3Blobs
