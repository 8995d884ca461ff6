"""What every model that is trained promises, for each name of the catalog and each option of its settings."""

import copy
import math
import re
from itertools import accumulate

import pytest
import torch
from pairwise import pairwise
from safetensors.torch import load_file

from adi.batch import Bags, Batch, DomainCandidates
from adi.bundle.manifest import PaddedFeature
from adi.bundle.user_tower import pad
from adi.data.manifest import FeatureInfo
from adi.exporting.graph import PaddedTower
from adi.exporting.graphs import leading
from adi.features.bags import ArrayBags
from adi.losses import sampled_softmax
from adi.models.catalog import MODELS
from adi.models.dnn_single import DnnSingle
from adi.models.model import TrainedModel
from adi.nn.domain_parameter import DomainParameter
from adi.nn.embedding import Neighbours
from adi.training.optimizers import RowwiseAdagrad, dense_optimizer
from adi.training.settings import settings_for
from adi.training.step import batch_loss
from adi.training.tensor_file import save_tensors

D, DIM = 4, 5
USER_FEATURES = (
    FeatureInfo(name="items", side="user", kind="behaviours", rows=0, length=4, embedded_by="item_id"),
    FeatureInfo(name="last", side="user", kind="behaviours", rows=0, length=1, embedded_by="item_id"),
    FeatureInfo(name="age", side="user", kind="categorical", rows=6),
    FeatureInfo(name="device", side="context", kind="categorical", rows=3),
)
ITEM_FEATURES = (
    FeatureInfo(name="item_id", side="item", kind="id", rows=40),
    FeatureInfo(name="tags", side="item", kind="multi", rows=8),
    FeatureInfo(name="bid", side="item", kind="numeric", rows=7, by_domain=True),
)

TRAINED = [name for name, model in MODELS.items() if isinstance(model, TrainedModel)]
ANY_OPTIONS = {
    "residual": (True, False),
    "dim": (6, 12),  # as wide as the embeddings, the residual path needs no projection
    "networks": ((8, 7), ()),
    "behaviours": ("mean", "recency", "attention", "transformer"),
    "behaviours_layers": (1, 2),
    "similarity": ("dot", "cosine"),
    "temperature": (1.0, 0.1),
    "popularity_prior": (True, False),
    "domain_indicator": (True, False),
    "neighbours": (0, 3),
    "embedding_sets": (1, 2, 3),
}
ADI_OPTIONS = {
    "adaptation": ("none", "linear", "attention", "se", "se-global", "se-network"),
    "shrinkage": (True, False),
    "se_sigmoid": (False, True),
    "fusion": ("concat", "sum", "network-mul"),
    "fusion_gate": ("scalar", "vector"),
    "shared_networks": (1, 3),
    "gate": ("softmax", "linear"),
    "norm": ("none", "batch", "domain"),
}
COMPARING_OPTIONS = {"residual": (True, False), "networks": ((8, 7), ()), "norm": ("none", "batch", "domain")}
MIND_OPTIONS = {
    "interests": (1, 3),
    "behaviours": ("attention", "transformer"),
    "sharpness": (0.0, 4.0),
    "similarity": ("dot", "cosine"),
    "embedding_sets": (1, 2),
}


def learnable(row):
    """One shared network for Network-Mul; no linear gate, which divides by a sum that may be near 0, behind cosines."""
    return row.get("fusion") != "network-mul" or row["shared_networks"] == 1


ROWS = {
    "adi-se": pairwise(ADI_OPTIONS | ANY_OPTIONS, allowed=learnable),
    "dnn": pairwise(ANY_OPTIONS | {"norm": ("none", "batch")}),
    "dnn-single": pairwise(ANY_OPTIONS | {"norm": ("none", "batch")}),
    "mind": pairwise(MIND_OPTIONS | {"dim": (6,)}),
}
COMPARING = ("shared-bottom", "cross-stitch", "mmoe", "ple")
ROWS |= {name: pairwise(COMPARING_OPTIONS)[number % 2 :: 2] for number, name in enumerate(COMPARING)}
VARIANTS = {name: (name, {}) for name in TRAINED}
VARIANTS |= {f"{name} {number}": (name, row) for name, rows in ROWS.items() for number, row in enumerate(rows)}
SMALL = {"embedding_dim": 6, "dim": DIM, "networks": (8, 7), "embedding_std": 1.0, "dropout": 0, "embedding_dropout": 0}
SMALL |= {"behaviours_dropout": 0}

SHARED_BY_DESIGN = {
    r"tables\.weight": "one table for all domains; its rows are compared one by one",
    r"prior": "one trust in popularity",
    r"\w+_tower\.recency\..*": "behaviours fade alike everywhere",
    r"user_tower\.encoders\..*": "one encoder of behaviours, told the domain by its embedding",
    r".*\.backbone\.shared\..*": "the shared networks (eq. 8)",
    r".*\.backbone\.gate\.linear\..*": "one gate, told the domain by its embedding (eq. 9)",
    r".*\.backbone\.in_shared\..*": "the blocks inside the shared networks",
    r".*\.backbone\.adaptation\.(squeeze|excite)\.(weight|bias)\.values\.0": "1-SE: one global block",
    r".*\.backbone\.fusion\.bias": "the paper's one b of all domains (eq. 14)",
    r".*\.backbone\.residual\.project\.weight": "the size of the output, not what is in it",
    r".*\.shared": "what shrinkage ties the domains to",
    r".*\.norms\.\d\.norm\.(scale|shift)\.values\.0": "norm: batch is one for the mixed batch",
    r".*\.backbone\.specific\.linears\.\d\.(weight|bias)": "the shared factor of Network-Mul (eq. 16)",
}
FEATURE_SUM = r".*\.backbone\.residual\..*"
SHARED_IN = {
    "dnn": (FEATURE_SUM, r".*\.backbone\.(network|output)\..*"),
    "mind": (FEATURE_SUM, r".*\.backbone\.(network|output)\..*"),
    "lightgcn": (r".*\.backbone\.sum\..*",),
    "shared-bottom": (FEATURE_SUM, r".*\.backbone\.bottom\..*"),
    "mmoe": (FEATURE_SUM, r".*\.backbone\.experts\..*"),
    "ple": (FEATURE_SUM,),
    # every sample runs the networks of all domains, by the method's nature: a domain has its own head alone
    "cross-stitch": (FEATURE_SUM, r".*\.backbone\.layers\..*"),
}


def settings_of(name, options):
    small = SMALL | {"networks": (), "neighbours": 2} if name == "lightgcn" else SMALL
    return settings_for(MODELS[name], small | options).model


def some_neighbours(settings, copies):
    """Random ones, of each copy of the items' table among its own rows."""
    if not settings.neighbours:
        return None
    generator = torch.Generator().manual_seed(7)
    rows = torch.randint(40, (copies, 40, settings.neighbours), generator=generator)
    rows += 40 * torch.arange(copies)[:, None, None]
    weights = torch.rand(40 * copies, settings.neighbours, generator=generator).softmax(1)
    return Neighbours("item_id", rows.flatten(0, 1), weights)


def build(name, options, seed=0):
    settings = settings_of(name, options)
    torch.manual_seed(seed)
    neighbours = some_neighbours(settings, D if name == "dnn-single" else 1)
    return MODELS[name].build_towers(USER_FEATURES, ITEM_FEATURES, D, settings, neighbours).train()


def drawn_bags(features, domains, generator):
    """Random bags for samples in the given domains; those of behaviours and tags hold none or more values."""
    rows = {feature.name: feature.rows for feature in (*USER_FEATURES, *ITEM_FEATURES)}
    bags = {}
    for feature in features:
        size = rows[feature.embedded_by or feature.name]
        if feature.kind in ("behaviours", "multi"):
            lengths = torch.randint((feature.length or 3) + 1, (len(domains),), generator=generator)
            offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
            bags[feature.name] = Bags(torch.randint(size, (int(offsets[-1]),), generator=generator), offsets)
        else:
            bags[feature.name] = Bags(torch.randint(size, (len(domains),), generator=generator))
    return bags | {"domain": Bags(torch.tensor(domains))}


def batch(sizes, seed=0):
    """A batch with ``sizes[domain] = (samples, candidates)``."""
    generator = torch.Generator().manual_seed(seed)
    users = [domain for domain, (n, _) in sizes.items() for _ in range(n)]
    items = [domain for domain, (_, m) in sizes.items() for _ in range(m)]
    candidates = {
        domain: DomainCandidates(
            positive=torch.randint(m, (n,), generator=generator),
            log_q=torch.zeros(m),
            positive_log_q=torch.zeros(n),
            known=(torch.zeros(n + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)),
        )
        for domain, (n, m) in sizes.items()
        if n
    }
    return Batch(
        size=len(users),
        user=drawn_bags(USER_FEATURES, users, generator),
        user_offsets=(0, *accumulate(sizes.get(d, (0, 0))[0] for d in range(D))),
        item=drawn_bags(ITEM_FEATURES, items, generator),
        item_offsets=(0, *accumulate(sizes.get(d, (0, 0))[1] for d in range(D))),
        item_log_popularity=-torch.rand(len(items), generator=generator),
        candidates=candidates,
    )


def arrays(bags):
    """Bags as they were before they became tensors."""
    return {
        name: ArrayBags(own.values.numpy(), None if own.offsets is None else own.offsets.numpy())
        for name, own in bags.items()
    }


def of_domain(bags, offsets, domain):
    """The samples of one domain alone, and their offsets."""
    start, stop = offsets[domain], offsets[domain + 1]
    own = {}
    for name, bag in bags.items():
        if bag.offsets is None:
            own[name] = Bags(bag.values[start:stop])
        else:
            cuts = bag.offsets[start : stop + 1]
            own[name] = Bags(bag.values[cuts[0] : cuts[-1]], cuts - cuts[0])
    return own, tuple(0 if d <= domain else stop - start for d in range(D + 1))


def vectors(model, given):
    users = model.encode_users(given.user, given.user_offsets)
    return users, model.encode_items(given.item, given.item_offsets, given.item_log_popularity)


def owned(model):
    """The domain-specific parameters: name to (domain, parameter)."""
    if isinstance(model, DnnSingle):
        named = [(place, own) for place, own in model.named_parameters() if place != "tables.weight"]
        return {place: (int(re.match(r"of_domain\.(\d)\.", place)[1]), own) for place, own in named}
    found = {}
    for prefix, module in model.named_modules():
        if isinstance(module, DomainParameter):
            kind = "values" if module.shared is None else "deltas"
            parameters = list(getattr(module, kind))
            if len(parameters) == D:
                found |= {f"{prefix}.{kind}.{domain}": (domain, own) for domain, own in enumerate(parameters)}
    return found


every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS.values(), ids=VARIANTS)


SIZES = (
    {0: (6, 9), 1: (1, 4), 3: (3, 5)},  # an absent domain, a lone sample
    {2: (1, 3)},  # one sample in all
    {0: (1, 2), 1: (1, 1), 2: (7, 3), 3: (2, 2)},  # every domain
)


@every_variant
def test_shapes_loss_and_gradients(name, options):
    for sizes in SIZES:
        check_shapes_loss_and_gradients(name, options, sizes)


def check_shapes_loss_and_gradients(name, options, sizes):
    model, given = build(name, options), batch(sizes)
    users, items = vectors(model, given)
    settings = settings_of(name, options)
    dim = settings.vector_dim + settings.popularity_prior
    interests = (settings.interests,) if name == "mind" else ()
    assert users.shape == (sum(n for n, _ in sizes.values()), *interests, dim)
    assert items.shape == (sum(m for _, m in sizes.values()), dim)
    model.tables.touched.clear()
    loss = batch_loss(model, given, sampled_softmax)
    assert loss.isfinite()
    assert loss > 0
    loss.backward()
    domain_specific = {id(parameter): domain for domain, parameter in owned(model).values()}
    for place, parameter in model.named_parameters():
        if parameter.requires_grad and domain_specific.get(id(parameter), next(iter(sizes))) in sizes:
            assert parameter.grad is not None, place
            assert parameter.grad.isfinite().all(), place
    leaves = 2 if settings.neighbours else 1  # of a lookup: the rows of a smoothed table are apart from the others
    assert len(model.tables.touched) == 2 * leaves * (len(sizes) if name == "dnn-single" else 1)
    for _, source in model.tables.touched:
        assert source.grad.isfinite().all()
    assert sum(bool(source.grad.any()) for _, source in model.tables.touched) >= 2


@every_variant
def test_one_domains_batch_leaves_all_others_as_they_were(name, options):
    model = build(name, options)
    tables = RowwiseAdagrad(model.tables, lr=0.1)
    dense = dense_optimizer(model, lr=0.01, weight_decay=0.1)

    def step(given):
        dense.zero_grad()
        batch_loss(model, given, sampled_softmax).backward()
        tables.step()
        dense.step()

    for seed in (1, 2):  # moments of every domain first: else an absent one would trivially have none to move
        step(batch({0: (4, 6), 1: (3, 4), 2: (2, 5), 3: (5, 3)}, seed=seed))
    mine = 2
    specific = owned(model)
    shared_names = [place for place, _ in model.named_parameters() if place not in specific]
    for place in shared_names:
        place = re.sub(r"\.of_set\.\d", "", place)  # each set's network is as the one of a model without sets
        assert any(re.fullmatch(pattern, place) for pattern in (*SHARED_BY_DESIGN, *SHARED_IN.get(name, ()))), place
    assert bool(specific) == (name not in ("dnn", "mind", "lightgcn"))
    before = copy.deepcopy(model.state_dict())
    moments = {place: copy.deepcopy(dense.state[parameter]) for place, (_, parameter) in specific.items()}
    state = tables.state.clone()
    given = batch({mine: (4, 6)}, seed=5)
    looked_up = torch.zeros(len(state), dtype=torch.bool)
    pair = model.of_domain[mine] if name == "dnn-single" else model
    used = [*pair.user_tower.names, *pair.item_tower.names]
    for place, bag in [*given.user.items(), *given.item.items()]:
        if place in used:
            table = "item_id" if place in ("items", "last") else place
            first = model.tables.first[table]
            if name == "dnn-single" and place != "domain":
                first += mine * next(
                    feature.rows for feature in (*USER_FEATURES, *ITEM_FEATURES) if feature.name == table
                )
            looked_up[first + bag.values] = True
    if model.tables.smoothed is not None:
        items = model.tables.first["item_id"]
        own = looked_up[items : items + len(model.tables.neighbours)].nonzero()[:, 0]
        looked_up[model.tables.neighbours[own]] = True

    step(given)

    after = model.state_dict()
    for place, (domain, parameter) in specific.items():
        assert (parameter.grad is None) == (domain != mine), place
        if domain != mine:
            assert torch.equal(after[place], before[place]), place
            assert moments[place].keys() == {"step", "exp_avg", "exp_avg_sq"}
            for key, value in moments[place].items():
                assert torch.equal(dense.state[parameter][key], value), (place, key)
    assert not specific or any(not torch.equal(after[p], before[p]) for p, (d, _) in specific.items() if d == mine)
    statistics = {place: buffer for place, buffer in model.named_buffers() if len(buffer) == D}
    settings = settings_of(name, options)
    assert bool(statistics) == (settings.norm == "domain" and bool(settings.networks))
    for place, buffer in statistics.items():
        for domain in range(D):
            assert torch.equal(buffer[domain], before[place][domain]) == (domain != mine), (place, domain)
    assert torch.equal(tables.state[~looked_up], state[~looked_up])
    assert torch.equal(after["tables.weight"][~looked_up], before["tables.weight"][~looked_up])
    assert state[~looked_up].count_nonzero() >= 3  # of which some had been trained before
    assert (tables.state[looked_up] > state[looked_up]).any()


@every_variant
def test_vectors_do_not_depend_on_the_other_domains_of_a_batch(name, options):
    check_independence(build(name, options).eval())
    if settings_of(name, options).norm != "batch":  # which takes its statistics from the whole batch in training
        check_independence(build(name, options).train())


def check_independence(model):
    sizes = {0: (6, 9), 1: (1, 4), 3: (3, 5)}
    given = batch(sizes)
    users, items = vectors(copy.deepcopy(model), given)
    for domain in sizes:
        alone = copy.deepcopy(model)  # running statistics move in training
        bags, offsets = of_domain(given.user, given.user_offsets, domain)
        rows = slice(*given.user_offsets[domain : domain + 2])
        torch.testing.assert_close(alone.encode_users(bags, offsets), users[rows])
        bags, offsets = of_domain(given.item, given.item_offsets, domain)
        rows = slice(*given.item_offsets[domain : domain + 2])
        popularity = given.item_log_popularity[rows]
        torch.testing.assert_close(alone.encode_items(bags, offsets, popularity), items[rows])


@every_variant
def test_what_is_saved_gives_the_same_vectors_again(name, options, tmp_path):
    model, given = build(name, options), batch({0: (6, 9), 1: (1, 4), 3: (3, 5)})
    vectors(model, given)  # in training: moves the running statistics, where there are any
    save_tensors(tmp_path / "model.safetensors", model.state_dict())
    other = build(name, options, seed=1)
    assert not torch.allclose(vectors(model.eval(), given)[0], vectors(copy.deepcopy(other).eval(), given)[0])
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    for mine, theirs in zip(vectors(model, given), vectors(other.eval(), given), strict=True):
        assert torch.equal(mine, theirs)


@every_variant
def test_the_domain_matters_to_a_model_that_knows_it(name, options):
    """The same samples in another domain get other vectors, once the domains' weights differ."""
    model = build(name, options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    given = batch({1: (5, 6)})
    here = vectors(model, given)
    moved = [
        ({**bags, "domain": Bags(torch.full_like(bags["domain"].values, 3))}, (0, 0, 0, 0, offsets[-1]))
        for bags, offsets in ((given.user, given.user_offsets), (given.item, given.item_offsets))
    ]
    there = model.encode_users(*moved[0]), model.encode_items(*moved[1], given.item_log_popularity)
    blind = name == "dnn" and not settings_of(name, options).domain_indicator
    for one, other in zip(here, there, strict=True):
        assert torch.allclose(one, other) == blind


def test_the_loss_falls_for_every_model():
    for name in TRAINED:
        model = build(name, {})
        tables = RowwiseAdagrad(model.tables, lr=0.1)
        dense = dense_optimizer(model, lr=0.01, weight_decay=0.0)
        given = batch({0: (6, 9), 1: (1, 4), 3: (3, 5)})
        losses = []
        for _ in range(40):
            dense.zero_grad()
            loss = batch_loss(model, given, sampled_softmax)
            loss.backward()
            tables.step()
            dense.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.3 * losses[0], name
        assert math.isfinite(losses[-1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_user_tower_of_a_domain_on_padded_rows_gives_the_same(variant) -> None:
    """Also with the domain as the first of all, which changes nothing in the model itself."""
    model = build(*VARIANTS[variant]).eval()
    given = batch({0: (4, 1), 2: (1, 1), 3: (6, 1)})
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in (*model.parameters(), *model.buffers()):  # many of them are the same for all domains
            if weight.is_floating_point():
                weight.add_(torch.rand(weight.shape, generator=draw) * 0.1)
        tables = model.tables.lookup(torch.arange(len(model.tables.weight)))
        for domain in (0, 2, 3):
            bags, offsets = of_domain(given.user, given.user_offsets, domain)
            one = leading(model.of_one_domain(domain))
            assert one.number == 0
            padding = [PaddedFeature(feature=name, first=first, width=4) for name, first in one.first.items()]
            padded = pad(arrays(bags), padding)
            vectors = PaddedTower(one, padding)(tables[padded.rows], torch.from_numpy(padded.given))
            torch.testing.assert_close(vectors.squeeze(1), model.encode_users(bags, offsets).squeeze(1))
