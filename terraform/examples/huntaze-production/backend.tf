# The state of production is never on a disk: `terraform init -backend-config=backend.hcl`, whose three lines examples/state prints.
# use_lockfile is S3's own lock; it needs Terraform 1.10.

terraform {
  backend "s3" {
    key          = "finops/production.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
