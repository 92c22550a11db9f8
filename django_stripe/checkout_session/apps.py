from django_stripe.common import apps


class CheckoutSessionConfig(apps.StripeObjectConfig):
    name = "django_stripe.checkout_session"
    label = "stripe_checkout_session"
    verbose_name = "Stripe checkout sessions"
