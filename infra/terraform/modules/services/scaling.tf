# How many workers there are: as many as there are units, ready or running.

locals {
  tracked = local.source.AsManyAsThereIsWork.TargetTrackingScalingPolicyConfiguration
  reached = {
    Cluster      = aws_ecs_cluster.cluster.name
    Workers_Name = aws_ecs_service.workers.name
    TheFirst     = aws_appautoscaling_policy.the_first.arn
    WorkerCount  = ""
  }
  share  = jsondecode(templatestring(local.text["AsManyAsThereIsWork"], merge(local.given, local.reached)))
  waits  = jsondecode(templatestring(local.text["WorkAndNoWorker"], merge(local.given, local.reached)))
  shares = local.share.TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics
}

resource "aws_appautoscaling_target" "worker_count" {
  service_namespace  = local.source.WorkerCount.ServiceNamespace
  scalable_dimension = local.source.WorkerCount.ScalableDimension
  resource_id        = "service/${aws_ecs_cluster.cluster.name}/${aws_ecs_service.workers.name}"
  min_capacity       = var.least_workers
  max_capacity       = var.most_workers
}

resource "aws_appautoscaling_policy" "as_many_as_there_is_work" {
  name               = "${var.name}-units-per-worker"
  policy_type        = local.source.AsManyAsThereIsWork.PolicyType
  service_namespace  = aws_appautoscaling_target.worker_count.service_namespace
  scalable_dimension = aws_appautoscaling_target.worker_count.scalable_dimension
  resource_id        = aws_appautoscaling_target.worker_count.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.units_per_worker
    scale_out_cooldown = local.tracked.ScaleOutCooldown
    scale_in_cooldown  = local.tracked.ScaleInCooldown

    customized_metric_specification {
      dynamic "metrics" {
        for_each = local.tracked.CustomizedMetricSpecification.Metrics

        content {
          id          = metrics.value.Id
          label       = try(metrics.value.Label, null)
          expression  = can(metrics.value.Expression) ? local.shares[metrics.key].Expression : null
          return_data = metrics.value.ReturnData

          dynamic "metric_stat" {
            for_each = try([metrics.value.MetricStat], [])

            content {
              stat = metric_stat.value.Stat

              metric {
                namespace   = metric_stat.value.Metric.Namespace
                metric_name = local.shares[metrics.key].MetricStat.Metric.MetricName

                dynamic "dimensions" {
                  for_each = try(local.shares[metrics.key].MetricStat.Metric.Dimensions, [])

                  content {
                    name  = dimensions.value.Name
                    value = dimensions.value.Value
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

resource "aws_appautoscaling_policy" "the_first" {
  name               = "${var.name}-the-first"
  policy_type        = local.source.TheFirst.PolicyType
  service_namespace  = aws_appautoscaling_target.worker_count.service_namespace
  scalable_dimension = aws_appautoscaling_target.worker_count.scalable_dimension
  resource_id        = aws_appautoscaling_target.worker_count.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = local.source.TheFirst.StepScalingPolicyConfiguration.AdjustmentType
    cooldown                = local.source.TheFirst.StepScalingPolicyConfiguration.Cooldown
    metric_aggregation_type = local.source.TheFirst.StepScalingPolicyConfiguration.MetricAggregationType

    dynamic "step_adjustment" {
      for_each = local.source.TheFirst.StepScalingPolicyConfiguration.StepAdjustments

      content {
        metric_interval_lower_bound = step_adjustment.value.MetricIntervalLowerBound
        scaling_adjustment          = step_adjustment.value.ScalingAdjustment
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "work_and_no_worker" {
  alarm_name          = "${var.name}-WorkAndNoWorker"
  alarm_description   = local.source.WorkAndNoWorker.AlarmDescription
  comparison_operator = local.source.WorkAndNoWorker.ComparisonOperator
  threshold           = local.source.WorkAndNoWorker.Threshold
  evaluation_periods  = local.source.WorkAndNoWorker.EvaluationPeriods
  treat_missing_data  = local.source.WorkAndNoWorker.TreatMissingData
  alarm_actions       = [aws_appautoscaling_policy.the_first.arn]

  dynamic "metric_query" {
    for_each = local.source.WorkAndNoWorker.Metrics

    content {
      id          = metric_query.value.Id
      label       = try(metric_query.value.Label, null)
      expression  = can(metric_query.value.Expression) ? local.waits.Metrics[metric_query.key].Expression : null
      return_data = metric_query.value.ReturnData

      dynamic "metric" {
        for_each = try([metric_query.value.MetricStat], [])

        content {
          namespace   = metric.value.Metric.Namespace
          metric_name = local.waits.Metrics[metric_query.key].MetricStat.Metric.MetricName
          stat        = metric.value.Stat
          period      = metric.value.Period
          dimensions = {
            for one in try(local.waits.Metrics[metric_query.key].MetricStat.Metric.Dimensions, []) : one.Name => one.Value
          }
        }
      }
    }
  }
}
