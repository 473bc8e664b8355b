"""What the outputs of a model may be, by the names that a user gives them."""

PROBABILITIES, MULTI_LABEL = "probabilities", "multi_label"
LOGITS, LABEL_LOGITS = "logits", "label_logits"
RETURNS: dict[str, str] = {
    PROBABILITIES: "probabilities of classes, with the sum 1; one output is that of class 1",
    MULTI_LABEL: "probabilities of classes of which several may be true",
    LOGITS: "logits, before the softmax or, of one output, the sigmoid",
    LABEL_LOGITS: "logits of classes of which several may be true, each before a sigmoid",
}
