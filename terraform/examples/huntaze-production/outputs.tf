output "finops" {
  description = "Everything that the modules hand out."
  value       = module.finops
}
