# What the template sees by an ARN that is not empty.

variable "has_figures" {
  description = "Whether there are figures: the ARN that says so may be known only once it is made."
  type        = bool
  default     = false
}

variable "has_models" {
  description = "Whether models of AWS may be asked: the ARN that says so may be known only once it is made."
  type        = bool
  default     = false
}

variable "protected" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
  default     = true
}
