output "work_queue" {
  description = "Name of the queue that calls workers."
  value       = aws_sqs_queue.bell["WorkQueue"].name
}

output "work_queue_arn" {
  description = "ARN of it."
  value       = aws_sqs_queue.bell["WorkQueue"].arn
}

output "work_dead_letters" {
  description = "Name of the queue of its dead letters."
  value       = aws_sqs_queue.dead["WorkDeadLetters"].name
}

output "notice_queue" {
  description = "Name of the queue that calls the notifier."
  value       = aws_sqs_queue.bell["NoticeQueue"].name
}

output "notice_queue_arn" {
  description = "ARN of it."
  value       = aws_sqs_queue.bell["NoticeQueue"].arn
}

output "notice_dead_letters" {
  description = "Name of the queue of its dead letters."
  value       = aws_sqs_queue.dead["NoticeDeadLetters"].name
}

output "left_out" {
  description = "Name of the queue that is told of what Lambda does not hand over."
  value       = try(aws_sqs_queue.dead["LeftOut"].name, "")
}

output "left_out_arn" {
  description = "ARN of it."
  value       = try(aws_sqs_queue.dead["LeftOut"].arn, "")
}

output "events" {
  description = "ARN of the topic of events."
  value       = aws_sns_topic.events.arn
}

output "operators" {
  description = "ARN of the topic of who looks after it."
  value       = aws_sns_topic.operators.arn
  depends_on  = [aws_sns_topic_policy.operators_policy]
}
