"""The words in pictures: titles and labels of axes, in English or Chinese.

One table holds every phrase. Pictures are written with the English ones, and a ``Say`` gives them
in the language that was asked for. Names of runs, layers, columns and classes are the user's own
and stay as they are.
"""

from collections.abc import Callable

from shoal.errors import DataError, did_you_mean

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)

Say = Callable[..., str]
"""From an English phrase of the table, and the values of its braces, to what is written."""

PHRASES = {
    # curves
    "epoch": "轮次",
    "loss": "损失",
    "learning rate": "学习率",
    "{quantity} (thin: training, thick: validation)": "{quantity}（细线：训练，粗线：验证）",
    "{quantity} (thin: training)": "{quantity}（细线：训练）",
    "training": "训练",
    "validation": "验证",
    "best epoch": "最佳轮次",
    "stopped": "停止",
    "first: {name}": "第一个：{name}",
    "last: {name}": "最后一个：{name}",
    "accuracy": "准确率",
    "log loss": "对数损失",
    "r2": "决定系数 R²",
    "r2_variance_weighted": "决定系数 R²（按方差加权）",
    "rmse": "均方根误差",
    "mae": "平均绝对误差",
    "roc auc": "ROC 曲线下面积",
    # why a training ended
    "still training": "仍在训练",
    "reached the epoch limit": "达到轮次上限",
    "the validation loss stopped improving": "验证损失不再改善",
    "the training loss stopped changing": "训练损失不再变化",
    "the loss or its gradient was not finite; kept the last finite weights":
        "损失或梯度不是有限数；保留最后的有限权重",
    "no member in this slot": "此处没有成员",
    # health
    "activation mean": "激活均值",
    "activation std": "激活标准差",
    "dead": "死亡单元比例",
    "saturated": "饱和比例",
    "gradient norm": "梯度范数",
    "update ratio": "更新比率",
    "health of the layers of {name}": "{name} 各层的健康状况",
    "(log scale)": "（对数刻度）",
    # examples
    "{split} of {data}: {rows} rows": "{data} 的{split}：{rows} 行",
    "training split": "训练集",
    "validation split": "验证集",
    "test split": "测试集",
    "all rows": "全部数据",
    "predicted": "预测",
    "true": "真实",
    "true class": "真实类别",
    "predicted class": "预测类别",
    "share of the true class": "占真实类别的比例",
    "accuracy {value}": "准确率 {value}",
    "largest losses": "损失最大的样本",
    "row {row}": "第 {row} 行",
    "loss {value}": "损失 {value}",
    "true: {name}": "真实：{name}",
    "predicted: {name}": "预测：{name}",
    "residual (predicted − true)": "残差（预测 − 真实）",
    "rows": "行数",
    "prediction = truth": "预测 = 真实",
    # weights and features
    "weights of {name}": "{name} 的权重",
    "unit": "单元",
    "input": "输入",
    "output": "输出",
    "channel": "通道",
    "filter": "滤波器",
    "value": "数值",
    "position": "位置",
    "{shown} of {total}": "{total} 个中的 {shown} 个",
    "features of row {row}": "第 {row} 行的特征",
    "features of an example": "一个样本的特征",
    "true: {true}, predicted: {predicted}": "真实：{true}，预测：{predicted}",
    # networks
    "{count} parameters": "{count} 个参数",
    "network: {count} parameters": "网络：{count} 个参数",
    "shortcut": "捷径",
    "positive weight": "正权重",
    "negative weight": "负权重",
    # surfaces
    "decision surface of {name}": "{name} 的决策面",
    "predicted values of {name}": "{name} 的预测值",
    "other features at their mean or most frequent value": "其余特征取均值或最常见的值",
    "probability of the predicted class": "预测类别的概率",
}  # fmt: skip
"""The Chinese of every English phrase."""


def words(language: str) -> Say:
    """How phrases are said in a language.

    >>> words("zh")("epoch"), words("en")("row {row}", row=3)
    ('轮次', 'row 3')

    Args:
        language: "en" or "zh".

    Raises:
        DataError: another language.
    """
    if language not in LANGUAGES:
        raise DataError(
            "language",
            required=" or ".join(repr(known) for known in LANGUAGES),
            got=repr(language),
            remedy=did_you_mean(str(language), LANGUAGES),
        )

    def say(phrase: str, **values: object) -> str:
        text = phrase if language == ENGLISH else PHRASES.get(phrase, phrase)
        return text.format(**values) if values else text

    return say
