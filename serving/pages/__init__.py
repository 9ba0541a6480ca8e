"""The pages that people work with: what each shows is worked out in its module and laid out in its template."""
