output "resource_ids" {
  description = "What Application Auto Scaling calls the services."
  value       = { for key, target in aws_appautoscaling_target.this : key => target.resource_id }
}
