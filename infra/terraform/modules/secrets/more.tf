# What the template says by DeletionPolicy, or always, and what stands in the way of an end that is meant.

variable "protected" {
  description = "Whether the secret can be brought back for 30 days; until then no other has its name."
  type        = bool
  default     = true
}
