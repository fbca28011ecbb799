# Doorbells, with their dead letters, and the topic of events.

locals {
  bells = {
    for name in ["WorkQueue", "NoticeQueue"] : name => jsondecode(templatestring(local.text[name], merge(local.given, {
      WorkDeadLetters_Arn   = aws_sqs_queue.dead["WorkDeadLetters"].arn
      NoticeDeadLetters_Arn = aws_sqs_queue.dead["NoticeDeadLetters"].arn
    })))
  }
}

resource "aws_sqs_queue" "bell" {
  for_each = local.bells

  name                       = "${var.name}-${each.key}"
  visibility_timeout_seconds = each.value.VisibilityTimeout
  message_retention_seconds  = each.value.MessageRetentionPeriod
  sqs_managed_sse_enabled    = true
  redrive_policy             = jsonencode(each.value.RedrivePolicy)
}

resource "aws_sqs_queue" "dead" {
  for_each = { for name, one in local.here : name => one if one.Type == "AWS::SQS::Queue" && !can(one.RedrivePolicy) }

  name                      = "${var.name}-${each.key}"
  message_retention_seconds = each.value.MessageRetentionPeriod
  sqs_managed_sse_enabled   = true
}

resource "aws_sns_topic" "events" {
  name              = "${var.name}-events"
  kms_master_key_id = var.data_key
}

resource "aws_sns_topic" "operators" {
  name              = "${var.name}-operators"
  kms_master_key_id = var.data_key
}

resource "aws_sns_topic_policy" "operators_policy" {
  arn = aws_sns_topic.operators.arn
  policy = jsonencode(jsondecode(templatestring(local.text["OperatorsPolicy"], merge(local.given, {
    Operators = aws_sns_topic.operators.arn
  }))).PolicyDocument)
}

resource "aws_sns_topic_subscription" "operators_subscription" {
  count = local.given.HasOperatorsMail ? 1 : 0

  topic_arn = aws_sns_topic.operators.arn
  protocol  = local.source.OperatorsSubscription.Protocol
  endpoint  = var.operators_mail
}
