output "redis" {
  description = "Address, port, security group and secret of Redis; null without one."
  value = var.redis == null ? null : {
    endpoint          = aws_elasticache_replication_group.redis[0].primary_endpoint_address
    port              = 6379
    security_group_id = aws_security_group.redis[0].id
    secret_name       = local.redis_secret
  }
}

output "audit_bucket" {
  description = "Bucket of the audit trail; null without one."
  value       = one(aws_s3_bucket.audit[*].id)
}

output "guardduty_detector_id" {
  description = "Id of the GuardDuty detector; null without one."
  value       = one(aws_guardduty_detector.this[*].id)
}

output "parameter_group" {
  description = "Parameter group that forces TLS; null without one."
  value       = one(aws_db_parameter_group.this[*].name)
}

output "task_roles" {
  description = "For each ECS service: `execution_role_arn`, `task_role_arn`, and `secrets` for the container definition."
  value = {
    for name, role in var.task_roles : name => {
      execution_role_arn = aws_iam_role.execution[name].arn
      task_role_arn      = aws_iam_role.task[name].arn
      secrets            = [for variable, arn in role.secrets : { name = variable, valueFrom = arn }]
    }
  }
}
