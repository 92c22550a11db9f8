from django_stripe.common import apps


class PaymentIntentConfig(apps.StripeObjectConfig):
    name = "django_stripe.payment_intent"
    label = "stripe_payment_intent"
    verbose_name = "Stripe payment intents"
