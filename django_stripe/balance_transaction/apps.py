from django_stripe.common import apps


class BalanceTransactionConfig(apps.StripeObjectConfig):
    name = "django_stripe.balance_transaction"
    label = "stripe_balance_transaction"
    verbose_name = "Stripe balance transactions"
