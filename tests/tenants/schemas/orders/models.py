from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=20)

    def __str__(self):
        return self.number
