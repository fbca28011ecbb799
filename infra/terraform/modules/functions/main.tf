# The functions, each with a role of its own, and who calls them.

locals {
  of_type = { for type in distinct([for one in local.here : one.Type]) : type => { for name, one in local.here : name => one if one.Type == type } }

  logs = {
    for name in keys(local.of_type["AWS::Logs::LogGroup"]) : name => jsondecode(templatestring(local.text[name], local.given))
  }
  roles = {
    for name in keys(local.of_type["AWS::IAM::Role"]) : name => jsondecode(templatestring(local.text[name], merge(local.given, {
      for log, one in aws_cloudwatch_log_group.log : "${log}_Arn" => one.arn
    })))
  }
  functions = {
    for name in keys(local.of_type["AWS::Lambda::Function"]) : name => jsondecode(templatestring(local.text[name], merge(
      local.given,
      { for role, one in aws_iam_role.role : "${role}_Arn" => one.arn },
      { for log, one in aws_cloudwatch_log_group.log : log => one.name },
      { HttpApi_ApiEndpoint = aws_apigatewayv2_api.http_api.api_endpoint },
    )))
  }
  policies = merge([
    for role, one in local.of_type["AWS::IAM::Role"] : {
      for arn in one.ManagedPolicyArns : "${role}-${try(arn.Then, arn)}" => {
        role = role, arn = try(arn.Then, arn)
      } if try(merge(local.given, { HasFigures = var.has_figures, HasModels = var.has_models })[arn.If], true)
    }
  ]...)
}

# -- what each function may do ---------------------------------------------------------------------

resource "aws_iam_role" "role" {
  for_each = local.of_type["AWS::IAM::Role"]

  name               = "${var.name}-${each.key}"
  assume_role_policy = jsonencode(each.value.AssumeRolePolicyDocument)
}

resource "aws_iam_role_policy" "own" {
  for_each = local.of_type["AWS::IAM::Role"]

  name   = "own"
  role   = aws_iam_role.role[each.key].name
  policy = jsonencode(one(local.roles[each.key].Policies).PolicyDocument)
}

resource "aws_iam_role_policy_attachment" "shared" {
  for_each = local.policies

  role       = aws_iam_role.role[each.value.role].name
  policy_arn = templatestring(local.policies[each.key].arn, local.given)
}

# -- the functions ---------------------------------------------------------------------------------

resource "aws_lambda_function" "function" {
  for_each = local.of_type["AWS::Lambda::Function"]

  function_name = "${var.name}-${lower(trimsuffix(each.key, "Function"))}"
  description   = each.value.Description
  package_type  = try(local.functions[each.key].PackageType, "Zip")
  runtime       = can(each.value.Code.If) && local.given.HasImage ? null : try(each.value.Runtime.Else, each.value.Runtime)
  handler       = can(each.value.Code.If) && local.given.HasImage ? null : try(each.value.Handler.Else, each.value.Handler)
  image_uri     = can(each.value.Code.If) && local.given.HasImage ? var.worker_image : null
  s3_bucket     = can(each.value.Code.If) && local.given.HasImage ? null : var.code_bucket
  s3_key        = can(each.value.Code.If) ? (local.given.HasImage ? null : var.worker_code) : var.api_code
  role          = aws_iam_role.role["${trimsuffix(each.key, "Function")}Role"].arn
  architectures = each.value.Architectures
  memory_size   = each.value.MemorySize
  timeout       = each.value.Timeout

  ephemeral_storage {
    size = each.value.EphemeralStorage.Size
  }

  environment {
    variables = local.functions[each.key].Environment.Variables
  }

  logging_config {
    log_format = "Text"
    log_group  = local.functions[each.key].LoggingConfig.LogGroup
  }

  dynamic "image_config" {
    for_each = can(each.value.ImageConfig) && local.given.HasImage ? [each.value.ImageConfig.Then] : []

    content {
      command = image_config.value.Command
    }
  }

  dynamic "vpc_config" {
    for_each = can(each.value.VpcConfig) && local.given.HasSubnets ? [true] : []

    content {
      subnet_ids         = var.kafka_subnets
      security_group_ids = var.kafka_security_groups
    }
  }

  depends_on = [aws_iam_role_policy.own, aws_iam_role_policy_attachment.shared]
}

resource "aws_cloudwatch_log_group" "log" {
  for_each = local.of_type["AWS::Logs::LogGroup"]

  name              = templatestring(local.names[each.key], local.given)
  retention_in_days = var.log_days
  kms_key_id        = var.data_key
}

locals {
  names = { for name, one in local.of_type["AWS::Logs::LogGroup"] : name => one.LogGroupName }
}

# -- who calls them --------------------------------------------------------------------------------

resource "aws_apigatewayv2_api" "http_api" {
  name          = "${var.name}-api"
  protocol_type = local.source.HttpApi.ProtocolType
}

resource "aws_apigatewayv2_integration" "api_integration" {
  api_id                 = aws_apigatewayv2_api.http_api.id
  integration_type       = local.source.ApiIntegration.IntegrationType
  integration_uri        = aws_lambda_function.function["ApiFunction"].arn
  payload_format_version = local.source.ApiIntegration.PayloadFormatVersion
  timeout_milliseconds   = local.source.ApiIntegration.TimeoutInMillis
}

resource "aws_apigatewayv2_route" "api_route" {
  api_id    = aws_apigatewayv2_api.http_api.id
  route_key = local.source.ApiRoute.RouteKey
  target    = "integrations/${aws_apigatewayv2_integration.api_integration.id}"
}

resource "aws_apigatewayv2_stage" "api_stage" {
  api_id      = aws_apigatewayv2_api.http_api.id
  name        = local.source.ApiStage.StageName
  auto_deploy = local.source.ApiStage.AutoDeploy

  default_route_settings {
    throttling_burst_limit   = local.source.ApiStage.DefaultRouteSettings.ThrottlingBurstLimit
    throttling_rate_limit    = local.source.ApiStage.DefaultRouteSettings.ThrottlingRateLimit
    detailed_metrics_enabled = local.source.ApiStage.DefaultRouteSettings.DetailedMetricsEnabled
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.log["AccessLog"].arn
    format          = local.source.ApiStage.AccessLogSettings.Format
  }
}

resource "aws_lambda_permission" "api_permission" {
  function_name = aws_lambda_function.function["ApiFunction"].function_name
  action        = local.source.ApiPermission.Action
  principal     = local.source.ApiPermission.Principal
  source_arn    = "${aws_apigatewayv2_api.http_api.execution_arn}/*"
}

resource "aws_lambda_event_source_mapping" "work_calls" {
  function_name           = aws_lambda_function.function["WorkerFunction"].arn
  event_source_arn        = var.work_queue_arn
  batch_size              = local.source.WorkCalls.BatchSize
  function_response_types = local.source.WorkCalls.FunctionResponseTypes

  scaling_config {
    maximum_concurrency = var.worker_concurrency
  }
}

resource "aws_lambda_event_source_mapping" "notice_calls" {
  function_name           = aws_lambda_function.function["NotifierFunction"].arn
  event_source_arn        = var.notice_queue_arn
  batch_size              = local.source.NoticeCalls.BatchSize
  function_response_types = local.source.NoticeCalls.FunctionResponseTypes

  scaling_config {
    maximum_concurrency = local.source.NoticeCalls.ScalingConfig.MaximumConcurrency
  }
}

resource "aws_cloudwatch_event_rule" "sweep_schedule" {
  name                = "${var.name}-sweep"
  description         = local.source.SweepSchedule.Description
  schedule_expression = local.source.SweepSchedule.ScheduleExpression
}

resource "aws_cloudwatch_event_target" "sweep_schedule" {
  rule      = aws_cloudwatch_event_rule.sweep_schedule.name
  target_id = one(local.source.SweepSchedule.Targets).Id
  arn       = aws_lambda_function.function["SweepFunction"].arn
}

resource "aws_lambda_permission" "sweep_permission" {
  function_name = aws_lambda_function.function["SweepFunction"].function_name
  action        = local.source.SweepPermission.Action
  principal     = local.source.SweepPermission.Principal
  source_arn    = aws_cloudwatch_event_rule.sweep_schedule.arn
}

resource "aws_lambda_event_source_mapping" "stream_calls" {
  count = local.given.HasKafka ? 1 : 0

  function_name                      = aws_lambda_function.function["IngestFunction"].arn
  event_source_arn                   = var.kafka_cluster
  topics                             = var.kafka_topics
  starting_position                  = local.source.StreamCalls.StartingPosition
  batch_size                         = local.source.StreamCalls.BatchSize
  maximum_batching_window_in_seconds = local.source.StreamCalls.MaximumBatchingWindowInSeconds

  destination_config {
    on_failure {
      destination_arn = var.left_out_arn
    }
  }
}
