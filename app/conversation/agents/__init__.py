"""Who answers: each agent makes one part of a reply for one thing that was asked."""
