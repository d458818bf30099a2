output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.limiter.function_name
}

output "url" {
  description = "Address for callers that want an answer at once; requests are signed (SigV4)."
  value       = aws_lambda_function_url.limiter.function_url
}

output "security_group_id" {
  description = "Security group of the function."
  value       = aws_security_group.limiter.id
}
