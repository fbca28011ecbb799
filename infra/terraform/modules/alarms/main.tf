# The alarms of deploy/cloudwatch/alarms.yml, on what there is.

variable "watched" {
  description = "Conditions of the template that hold: what is named may be known only once it is made."
  type        = set(string)
  default     = []
}

locals {
  alarms = { for name, one in local.source : name => one if !can(one.Condition) || contains(var.watched, try(one.Condition, "")) }
  filled = { for name in keys(local.alarms) : name => jsondecode(templatestring(local.text[name], local.given)) }
  told   = [var.topic]
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = each.value.AlarmDescription
  namespace         = each.value.Namespace
  metric_name       = each.value.MetricName
  dimensions = {
    for one in try(local.filled[each.key].Dimensions.Then, local.filled[each.key].Dimensions, []) : one.Name => one.Value
    if try(local.given[local.filled[each.key].Dimensions.If], true)
  }
  statistic           = try(each.value.Statistic, null)
  extended_statistic  = try(each.value.ExtendedStatistic, null)
  period              = each.value.Period
  evaluation_periods  = each.value.EvaluationPeriods
  comparison_operator = each.value.ComparisonOperator
  threshold           = each.value.Threshold
  treat_missing_data  = each.value.TreatMissingData
  alarm_actions       = local.told
  ok_actions          = local.told
}
