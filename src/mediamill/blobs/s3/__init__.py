"""Objects in a bucket of S3 or of what speaks its protocol.

    s3://bucket/folder?region=…&endpoint=…&encryption=aws:kms&kms_key=…&checksum=when_required

What is written carries a checksum that the server compares (`checksum`: `sha256`; `crc32`; the MD5
and the signature over the bytes that every server knows, `when_required`; or `none`). What is read
whole is compared with what the bucket recorded; a reader whose connection breaks goes on where it
was, of the same version of the object. `encryption` is `AES256` (SSE-S3) unless given; `none`
leaves it to the bucket. docs/how-to/s3.md tells all options.

Credentials are found where botocore finds them: `AWS_…` variables, files, a process, a web
identity, the machine's role. Needs `s3:ListBucket`, `s3:ListBucketMultipartUploads`,
`s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`, `s3:AbortMultipartUpload`,
`s3:ListMultipartUploadParts`, and `s3:RestoreObject` where originals may be in cold storage.
"""

from mediamill.blobs.s3.store import S3Blobs

plugin = S3Blobs
