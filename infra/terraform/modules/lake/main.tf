# Figures as a table of Athena, which QuickSight takes.

locals {
  table = jsondecode(templatestring(local.text["FiguresTable"], merge(local.given, {
    Figures = aws_s3_bucket.figures.id, Database = var.name
  }))).TableInput
  shape   = local.source.FiguresTable.TableInput
  answers = local.source.Questions.WorkGroupConfiguration
}

resource "aws_s3_bucket" "figures" {
  bucket_prefix = "${var.name}-figures-"
  force_destroy = !var.protected
}

resource "aws_s3_bucket_public_access_block" "figures" {
  bucket                  = aws_s3_bucket.figures.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "figures" {
  bucket = aws_s3_bucket.figures.id

  rule {
    object_ownership = local.source.Figures.OwnershipControls.Rules[0].ObjectOwnership
  }
}

resource "aws_s3_bucket_versioning" "figures" {
  bucket = aws_s3_bucket.figures.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "figures" {
  bucket = aws_s3_bucket.figures.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_logging" "figures" {
  bucket        = aws_s3_bucket.figures.id
  target_bucket = var.log_bucket
  target_prefix = local.source.Figures.LoggingConfiguration.LogFilePrefix
}

resource "aws_s3_bucket_lifecycle_configuration" "figures" {
  bucket = aws_s3_bucket_versioning.figures.bucket

  dynamic "rule" {
    for_each = local.source.Figures.LifecycleConfiguration.Rules

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
        for_each = try([rule.value.ExpirationInDays], [])

        content {
          days = expiration.value
        }
      }

      dynamic "noncurrent_version_expiration" {
        for_each = try([rule.value.NoncurrentVersionExpiration], [])

        content {
          noncurrent_days = noncurrent_version_expiration.value.NoncurrentDays
        }
      }
    }
  }
}

resource "aws_s3_bucket_policy" "figures_policy" {
  count  = local.given.IsAws ? 1 : 0
  bucket = aws_s3_bucket.figures.id

  policy = jsonencode(jsondecode(templatestring(local.text["FiguresPolicy"], merge(local.given, {
    Figures     = aws_s3_bucket.figures.id
    Figures_Arn = aws_s3_bucket.figures.arn
  }))).PolicyDocument)
}

resource "aws_glue_catalog_database" "database" {
  name        = var.name
  description = local.source.Database.DatabaseInput.Description
}

resource "aws_glue_catalog_table" "figures_table" {
  name          = local.shape.Name
  database_name = aws_glue_catalog_database.database.name
  table_type    = local.shape.TableType
  parameters    = local.table.Parameters

  dynamic "partition_keys" {
    for_each = local.shape.PartitionKeys

    content {
      name    = partition_keys.value.Name
      type    = partition_keys.value.Type
      comment = partition_keys.value.Comment
    }
  }

  storage_descriptor {
    location      = local.table.StorageDescriptor.Location
    input_format  = local.shape.StorageDescriptor.InputFormat
    output_format = local.shape.StorageDescriptor.OutputFormat

    ser_de_info {
      serialization_library = local.shape.StorageDescriptor.SerdeInfo.SerializationLibrary
    }

    dynamic "columns" {
      for_each = local.shape.StorageDescriptor.Columns

      content {
        name    = columns.value.Name
        type    = columns.value.Type
        comment = columns.value.Comment
      }
    }
  }
}

resource "aws_athena_workgroup" "questions" {
  name        = var.name
  description = local.source.Questions.Description

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = local.answers.PublishCloudWatchMetricsEnabled
    bytes_scanned_cutoff_per_query     = var.scan_bytes

    result_configuration {
      output_location = "s3://${aws_s3_bucket.figures.id}/athena/"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}
