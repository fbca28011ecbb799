# Who looks after it: alarms, a dashboard, a trail of what is asked of AWS, GuardDuty.

variable "watched" {
  description = "Conditions of deploy/cloudwatch/alarms.yml that hold, beside those on the table and the dead letters."
  type        = set(string)
  default     = []
}

locals {
  trail     = local.source.Asked
  findings  = local.source.Findings
  selectors = jsondecode(templatestring(local.text["Asked"], local.given)).AdvancedEventSelectors
}

module "alarms" {
  source = "../alarms"

  name                = var.name
  installation        = var.name
  stays               = var.stays
  topic               = var.operators
  functions           = var.functions
  api                 = var.api
  cluster             = var.cluster
  table               = var.table
  dead_letters        = var.work_dead_letters
  notice_dead_letters = var.notice_dead_letters
  left_out            = var.left_out
  certificate         = var.certificate
  watched             = setunion(var.watched, ["HasTable", "HasDeadLetters", "HasNoticeDeadLetters"])
}

resource "aws_cloudwatch_dashboard" "dashboard" {
  dashboard_name = var.name
  dashboard_body = jsondecode(templatestring(local.text["Dashboard"], local.given)).DashboardBody
}

resource "aws_cloudtrail" "asked" {
  count = local.given.HasTrail ? 1 : 0

  name                          = var.name
  s3_bucket_name                = var.log_bucket
  s3_key_prefix                 = local.trail.S3KeyPrefix
  kms_key_id                    = var.data_key
  enable_logging                = true
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true

  dynamic "advanced_event_selector" {
    for_each = local.trail.AdvancedEventSelectors

    content {
      name = advanced_event_selector.value.Name

      dynamic "field_selector" {
        for_each = advanced_event_selector.value.FieldSelectors

        content {
          field  = field_selector.value.Field
          equals = try(field_selector.value.Equals, null)
          starts_with = try(
            local.selectors[advanced_event_selector.key].FieldSelectors[field_selector.key].StartsWith, null
          )
        }
      }
    }
  }
}

resource "aws_guardduty_detector" "detector" {
  count = local.given.HasGuard ? 1 : 0

  enable                       = true
  finding_publishing_frequency = local.source.Detector.FindingPublishingFrequency
}

resource "aws_guardduty_detector_feature" "detector" {
  for_each = { for one in local.source.Detector.Features : one.Name => one if local.given.HasGuard }

  detector_id = aws_guardduty_detector.detector[0].id
  name        = each.key
  status      = each.value.Status
}

resource "aws_cloudwatch_event_rule" "findings" {
  count = local.given.HasGuard ? 1 : 0

  name          = "${var.name}-findings"
  description   = local.findings.Description
  event_pattern = jsonencode(local.findings.EventPattern)
}

resource "aws_cloudwatch_event_target" "findings" {
  count = local.given.HasGuard ? 1 : 0

  rule      = aws_cloudwatch_event_rule.findings[0].name
  target_id = one(local.findings.Targets).Id
  arn       = var.operators
}
