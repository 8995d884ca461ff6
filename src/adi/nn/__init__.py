"""Layers to build models from. All work on domain-major batches (`adi.batch`)."""

from adi.nn.behaviours import HistoryAttention, HistoryEncoder, PoolingWeights, RecencyWeights, padded_mean
from adi.nn.cross_stitch import CrossStitch
from adi.nn.domain_linear import DomainLinear
from adi.nn.domain_norm import DomainNorm
from adi.nn.domain_parameter import DomainParameter, by_domain, split_by_domain
from adi.nn.dropout import Dropout
from adi.nn.embedding import EmbeddingTables, bag_of_each
from adi.nn.embedding_sets import EmbeddingSets
from adi.nn.feature_sum import FeatureSum
from adi.nn.fusion import ConcatFusion, SumFusion
from adi.nn.gating import DomainGate, SharedGate, mix
from adi.nn.history_transformer import HistoryTransformer
from adi.nn.interest_adaptation import AttentionAdaptation, FeatureWeighting, LinearAdaptation, SEAdaptation
from adi.nn.mlp import MLP, DomainMLP
from adi.nn.network_mul import NetworkMulLinear

__all__ = [
    "MLP",
    "AttentionAdaptation",
    "ConcatFusion",
    "CrossStitch",
    "DomainGate",
    "DomainLinear",
    "DomainMLP",
    "DomainNorm",
    "DomainParameter",
    "Dropout",
    "EmbeddingSets",
    "EmbeddingTables",
    "FeatureSum",
    "FeatureWeighting",
    "HistoryAttention",
    "HistoryEncoder",
    "HistoryTransformer",
    "LinearAdaptation",
    "NetworkMulLinear",
    "PoolingWeights",
    "RecencyWeights",
    "SEAdaptation",
    "SharedGate",
    "SumFusion",
    "bag_of_each",
    "by_domain",
    "mix",
    "padded_mean",
    "split_by_domain",
]
