# What Mediamill keeps: table, buckets and the keys over them.

locals {
  table      = local.source.Table
  bucket     = local.source.Bucket
  log_bucket = local.source.LogBucket
  lifecycle = {
    Bucket    = jsondecode(templatestring(local.text["Bucket"], merge(local.given, { DataKey_Arn = "", LogBucket = "" }))).LifecycleConfiguration.Rules
    LogBucket = jsondecode(templatestring(local.text["LogBucket"], local.given)).LifecycleConfiguration.Rules
  }
  rules = {
    for name, rules in local.lifecycle : name => [
      for one in [for rule in rules : try(local.given[rule.If] ? rule.Then : rule.Else, rule)] : one if one != null
    ]
  }
  cors = local.source.Bucket.CorsConfiguration.Then.CorsRules
}

resource "aws_dynamodb_table" "table" {
  name                        = var.name
  billing_mode                = local.table.BillingMode
  hash_key                    = local.table.KeySchema[0].AttributeName
  range_key                   = local.table.KeySchema[1].AttributeName
  deletion_protection_enabled = var.protected

  dynamic "attribute" {
    for_each = local.table.AttributeDefinitions

    content {
      name = attribute.value.AttributeName
      type = attribute.value.AttributeType
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.table.GlobalSecondaryIndexes

    content {
      name            = global_secondary_index.value.IndexName
      hash_key        = global_secondary_index.value.KeySchema[0].AttributeName
      range_key       = global_secondary_index.value.KeySchema[1].AttributeName
      projection_type = global_secondary_index.value.Projection.ProjectionType
    }
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# -- buckets ---------------------------------------------------------------------------------------

resource "aws_s3_bucket" "bucket" {
  bucket_prefix = "${var.name}-"
  force_destroy = !var.protected
}

resource "aws_s3_bucket" "log_bucket" {
  bucket_prefix = "${var.name}-logs-"
  force_destroy = !var.protected
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  bucket                  = aws_s3_bucket.bucket.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "log_bucket" {
  bucket                  = aws_s3_bucket.log_bucket.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  rule {
    object_ownership = local.bucket.OwnershipControls.Rules[0].ObjectOwnership
  }
}

resource "aws_s3_bucket_ownership_controls" "log_bucket" {
  bucket = aws_s3_bucket.log_bucket.id

  rule {
    object_ownership = local.log_bucket.OwnershipControls.Rules[0].ObjectOwnership
  }
}

resource "aws_s3_bucket_versioning" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_versioning" "log_bucket" {
  bucket = aws_s3_bucket.log_bucket.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data_key.arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "log_bucket" {
  bucket = aws_s3_bucket.log_bucket.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_logging" "bucket" {
  bucket        = aws_s3_bucket.bucket.id
  target_bucket = aws_s3_bucket.log_bucket.id
  target_prefix = local.bucket.LoggingConfiguration.LogFilePrefix
}

resource "aws_s3_bucket_cors_configuration" "bucket" {
  count  = local.given.HasOrigin ? 1 : 0
  bucket = aws_s3_bucket.bucket.id

  dynamic "cors_rule" {
    for_each = local.cors

    content {
      allowed_origins = [var.origin]
      allowed_methods = cors_rule.value.AllowedMethods
      allowed_headers = cors_rule.value.AllowedHeaders
      expose_headers  = cors_rule.value.ExposedHeaders
      max_age_seconds = cors_rule.value.MaxAge
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "all" {
  for_each = {
    Bucket    = aws_s3_bucket_versioning.bucket.bucket
    LogBucket = aws_s3_bucket_versioning.log_bucket.bucket
  }
  bucket = each.value

  dynamic "rule" {
    for_each = local.rules[each.key]

    content {
      id     = rule.value.Id
      status = rule.value.Status

      filter {
        prefix = try(rule.value.Prefix, "")
      }

      dynamic "abort_incomplete_multipart_upload" {
        for_each = try([rule.value.AbortIncompleteMultipartUpload], [])

        content {
          days_after_initiation = abort_incomplete_multipart_upload.value.DaysAfterInitiation
        }
      }

      dynamic "expiration" {
        for_each = can(rule.value.ExpiredObjectDeleteMarker) || can(rule.value.ExpirationInDays) ? [rule.value] : []

        content {
          days                         = try(expiration.value.ExpirationInDays, null)
          expired_object_delete_marker = try(expiration.value.ExpiredObjectDeleteMarker, null)
        }
      }

      dynamic "noncurrent_version_expiration" {
        for_each = try([rule.value.NoncurrentVersionExpiration], [])

        content {
          noncurrent_days = noncurrent_version_expiration.value.NoncurrentDays
        }
      }

      dynamic "transition" {
        for_each = try(rule.value.Transitions, [])

        content {
          days          = transition.value.TransitionInDays
          storage_class = transition.value.StorageClass
        }
      }
    }
  }
}

resource "aws_s3_bucket_policy" "bucket_policy" {
  count  = local.given.IsAws ? 1 : 0
  bucket = aws_s3_bucket.bucket.id

  policy = jsonencode(jsondecode(templatestring(local.text["BucketPolicy"], merge(local.given, {
    Bucket     = aws_s3_bucket.bucket.id
    Bucket_Arn = aws_s3_bucket.bucket.arn
  }))).PolicyDocument)
}

resource "aws_s3_bucket_policy" "log_bucket_policy" {
  count  = local.given.IsAws ? 1 : 0
  bucket = aws_s3_bucket.log_bucket.id

  policy = jsonencode(jsondecode(templatestring(local.text["LogBucketPolicy"], merge(local.given, {
    LogBucket     = aws_s3_bucket.log_bucket.id
    LogBucket_Arn = aws_s3_bucket.log_bucket.arn
  }))).PolicyDocument)
}

# -- keys ------------------------------------------------------------------------------------------

resource "aws_kms_key" "data_key" {
  description             = local.source.DataKey.Description
  enable_key_rotation     = true
  deletion_window_in_days = local.source.DataKey.PendingWindowInDays
  policy                  = jsonencode(jsondecode(templatestring(local.text["DataKey"], local.given)).KeyPolicy)
}

resource "aws_kms_key" "sealing_key" {
  description             = local.source.SealingKey.Description
  enable_key_rotation     = true
  deletion_window_in_days = local.source.SealingKey.PendingWindowInDays
  policy                  = jsonencode(jsondecode(templatestring(local.text["SealingKey"], local.given)).KeyPolicy)
}
