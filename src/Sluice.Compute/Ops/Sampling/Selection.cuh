// The most likely tokens of a row up to a count or up to a share of the mass, without sorting it. The answer is the last token that is
// kept, in the order of preference. A bracket of keys around the answer is narrowed by counting its logits in bins of equal width
// and guessing a window, whose exact measure then says on which side the answer lies; a window of at most ROW_LIST tokens is sorted.
// A wrong guess costs a round and never a wrong answer.
#pragma once
#include "LogitsRow.cuh"

// Tokens that a window holds beside the bin of the guess, on either side.
#define WINDOW_MARGIN 512

struct Search {
    u64 after;      // tokens up to this one in the order of preference are not in the set
    u64 last;       // nor are those behind this one
    u32 low, high;  // keys between which the answer's lies
    u64 above;      // measure of the set's tokens with keys above high
    u64 need;       // measure to reach; 0 when it is still to be computed from the share
    double share;   // of the mass of the set
    float span;     // how far below the key high the first look goes
    bool few;       // the tokens of tryLow and more are probably the answer's, and at most ROW_LIST
    u32 tryLow;
    bool triedWhole;
};

struct Window {
    u32 low, high;
};

SLUICE_INLINE bool contains(const Search& search, u32 key, u64 order) {
    return key >= search.low && key <= search.high && order > search.after && order <= search.last;
}

SLUICE_INLINE u64 mass_share(double share, u64 total) {
    double wanted = share * (double)total;
    u64 need = (u64)wanted;
    need += (double)need < wanted ? 1 : 0;
    return need > 0 ? need : 1;
}

// Bins for a distance, or 0 when there is no sensible number of them for a unit.
SLUICE_INLINE float bins_per_unit(float span) { return span > 1e-30f && span < 1e37f ? over((float)ROW_BINS, span) : 0.0f; }

// The key at a distance below the top, moved by what rounding could have done to it.
SLUICE_INLINE u32 edge_key(float top, float distance, float direction) {
    float slack = 3e-7f * ((top < 0 ? -top : top) + distance);
    return order_key(top - distance + direction * slack);
}

// Adds the bins of all thread blocks up in the first one's; complete after the next cluster_sync().
SLUICE_INLINE void merge_bins(LogitsRow& row) {
    __syncthreads();
    if (row.rank != 0) {
        for (int i = threadIdx.x; i < ROW_BINS; i += ROW_THREADS) {
            u32 count = row.bins[i];
            if (count != 0) {
                cluster_add(&row.bins[i], 0, count);
                row.bins[i] = 0;
            }
        }
    }
}

#define BINS_PER_THREAD (ROW_BINS / ROW_THREADS)

// A key that `count` logits of the row reach and not many more, from the maxima of its blocks. count <= row.finiteBlocks.
SLUICE_INLINE u32 bound_of_largest(LogitsRow& row, u32 count) {
    float perUnit = bins_per_unit(row.max - key_value(row.lowestMaxKey));
    if (perUnit == 0) {
        return row.lowestMaxKey;
    }
    for (int block = threadIdx.x; block < row.blockCount; block += ROW_THREADS) {
        u32 key = row.maxima[block];
        if (key > NEGATIVE_INFINITY_KEY) {
            u32 bin = truncated((row.max - key_value(key)) * perUnit);
            shared_add(&row.bins[bin < ROW_BINS ? bin : ROW_BINS - 1], 1);
        }
    }
    merge_bins(row);
    cluster_sync();
    if (row.rank == 0) {
        u64 own = 0;
        u32 counts[BINS_PER_THREAD];
#pragma unroll
        for (int i = 0; i < BINS_PER_THREAD; i++) {
            counts[i] = row.bins[threadIdx.x * BINS_PER_THREAD + i];
            row.bins[threadIdx.x * BINS_PER_THREAD + i] = 0;
            own += counts[i];
        }
        u64 before = block_prefix_sum(row, own) - own;
        if (before < count && count <= before + own) {
            int bin = threadIdx.x * BINS_PER_THREAD;
#pragma unroll
            for (int i = 0; i < BINS_PER_THREAD - 1; i++) {
                before += counts[i];
                bin += before < count ? 1 : 0;
            }
            tell_cluster(row, edge_key(row.max, (float)(bin + 1) / perUnit, -1.0f));
        }
    }
    cluster_sync();
    u32 bound = (u32)row.control->decision;
    return bound > row.lowestMaxKey ? bound : row.lowestMaxKey;
}

SLUICE_INLINE Window upper_half(const Search& search) {
    return Window{search.low + (search.high - search.low) / 2 + 1, search.high};
}

// In the first thread block of the cluster, over its merged bins: the window around the bin in which the need is reached.
template <bool mass>
SLUICE_INLINE void guess_window(LogitsRow& row, const Search& search, float top, float perUnit) {
    RowControl& control = *row.control;
    u32 counts[BINS_PER_THREAD];
    u64 measures[BINS_PER_THREAD];
    u64 ownCount = 0;
    u64 own = 0;
    int first = threadIdx.x * BINS_PER_THREAD;
#pragma unroll
    for (int i = 0; i < BINS_PER_THREAD; i++) {
        counts[i] = row.bins[first + i];
        row.bins[first + i] = 0;
        measures[i] = mass ? counts[i] * mass_of(row, top - ((float)(first + i) + 0.5f) / perUnit) : counts[i];
        ownCount += counts[i];
        own += measures[i];
    }
    if (threadIdx.x == 0) {
        control.firstBin = ROW_BINS;
        control.binsBehind = ROW_BINS;
    }
    u64 goal = search.need - search.above;
    u64 through = block_prefix_sum(row, own);
    u64 countBefore = block_prefix_sum(row, ownCount) - ownCount;
    u64 before = through - own;
    if ((before < goal && goal <= through) || (threadIdx.x == ROW_THREADS - 1 && through < goal)) {
        // The last thread stands in when the bins hold too little: behind all of them.
        u32 passed = 0;
        u64 binCount = 0;
        control.countBefore = countBefore;
#pragma unroll
        for (int i = 0; i < BINS_PER_THREAD; i++) {
            before += measures[i];
            binCount += counts[i];
            if (before < goal) {
                passed++;
                control.countBefore = countBefore + binCount;
            } else if (before - measures[i] < goal) {
                control.countThrough = countBefore + binCount;
            }
        }
        control.found = first + passed;
        if (passed == BINS_PER_THREAD) {
            control.countThrough = countBefore + binCount;
        }
    }
    __syncthreads();
    int found = (int)control.found;
    u64 lowest = control.countBefore > WINDOW_MARGIN ? control.countBefore - WINDOW_MARGIN : 0;
    u64 highest = control.countThrough + WINDOW_MARGIN;
    u64 count = countBefore;
#pragma unroll
    for (int i = 0; i < BINS_PER_THREAD; i++) {
        if (count >= lowest) {
            shared_min(&control.firstBin, (u32)(first + i));
        }
        count += counts[i];
        if (count <= highest) {
            shared_min(&control.binsBehind, (u32)(ROW_BINS - 1 - first - i));
        }
    }
    __syncthreads();
    if (threadIdx.x == ROW_THREADS - 1) {
        // count is that of all bins here.
        int firstBin = (int)control.firstBin < found - 1 ? (int)control.firstBin : found - 1;
        int lastBin = ROW_BINS - 1 - (int)control.binsBehind;
        lastBin = lastBin > found ? lastBin : found + 1;
        Window window{search.low, search.high};
        if (firstBin > 0) {
            u32 key = edge_key(top, (float)firstBin / perUnit, 1.0f);
            window.high = key < search.high ? key : search.high;
        }
        if (found < ROW_BINS) {
            u32 key = edge_key(top, (float)(lastBin + 1) / perUnit, -1.0f);
            window.low = key > search.low ? key : search.low;
        }
        if (window.low <= search.low && window.high >= search.high && (count > ROW_LIST || search.triedWhole)) {
            window = upper_half(search);
        }
        tell_cluster(row, ((u64)window.high << 32) | window.low);
    }
}

template <bool mass>
SLUICE_INLINE Window choose_window(LogitsRow& row, Search& search) {
    float top = key_value(search.high);
    float span = top - key_value(search.low);
    span = search.span < span ? search.span : span;
    float perUnit = bins_per_unit(span);
    bool usable = perUnit > 0;
    bool wantsTotal = mass && search.need == 0;
    search.span *= 16.0f;
    if (!usable && !wantsTotal) {
        return upper_half(search);
    }
    u64 values[1] = {0};
    visit_blocks<4>(row, [&](int block) { return row.maxima[block] >= search.low; }, [&](int block, const float (&logits)[4]) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 key = order_key(logits[i]);
            if (contains(search, key, order_of(key, (u32)(first_id(row, block) + i)))) {
                float bin = times(minus(top, logits[i]), perUnit);
                if (usable && bin < (float)ROW_BINS) {
                    shared_add(&row.bins[truncated(bin)], 1);
                }
                values[0] += wantsTotal ? mass_of(row, logits[i]) : 0;
            }
        }
    });
    merge_bins(row);
    if (wantsTotal) {
        ClusterSum total[1];
        cluster_sums(row, values, total);
        search.need = mass_share(search.share, total[0].all);
    } else {
        cluster_sync();
    }
    if (!usable) {
        return upper_half(search);
    }
    if (row.rank == 0) {
        guess_window<mass>(row, search, top, perUnit);
    }
    cluster_sync();
    u64 decision = row.control->decision;
    return Window{(u32)decision, (u32)(decision >> 32)};
}

struct Collected {
    u64 above;      // measure between the window and the bracket's high end
    u64 inside;     // measure of the window
    u64 count;      // tokens in the window; all listed when there are at most ROW_LIST
};

// Measures a window exactly, and lists its tokens in the shared memory of the thread blocks that read them.
template <bool mass>
SLUICE_INLINE Collected collect(LogitsRow& row, const Search& search, Window window) {
    __syncthreads();
    if (threadIdx.x == 0) {
        row.control->listCount = 0;
    }
    __syncthreads();
    u64 values[3] = {0, 0, 0};
    visit_blocks<4>(row, [&](int block) { return row.maxima[block] >= window.low; }, [&](int block, const float (&logits)[4]) {
        u32 listed = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 key = order_key(logits[i]);
            if (key >= window.low && contains(search, key, order_of(key, (u32)(first_id(row, block) + i)))) {
                u64 measure = mass ? mass_of(row, logits[i]) : 1;
                values[0] += key > window.high ? measure : 0;
                values[1] += key > window.high ? 0 : measure;
                listed |= key > window.high ? 0u : 1u << i;
            }
        }
        u32 own = (u32)count_bits(listed);
        u32 ones = warp_ballot((own & 1) != 0);
        u32 twos = warp_ballot((own & 2) != 0);
        u32 fours = warp_ballot((own & 4) != 0);
        if ((ones | twos | fours) != 0) {
            u32 all = count_bits(ones) + 2 * count_bits(twos) + 4 * count_bits(fours);
            u32 base = row.lane == 0 ? shared_fetch_add(&row.control->listCount, all) : 0;
            u32 lower = (1u << row.lane) - 1;
            u32 place = warp_read(base, 0) + count_bits(ones & lower) + 2 * count_bits(twos & lower) + 4 * count_bits(fours & lower);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if ((listed >> i & 1) != 0) {
                    if (place < ROW_LIST) {
                        row.list[place] = order_of(order_key(logits[i]), (u32)(first_id(row, block) + i));
                    }
                    place++;
                }
            }
        }
        values[2] += own;
    });
    ClusterSum sums[3];
    cluster_sums(row, values, sums);
    return Collected{sums[0].all, sums[1].all, sums[2].all};
}

// In the first thread block of the cluster, after collect: brings the tokens together and sorts them in the order of preference.
SLUICE_INLINE void sort_list(LogitsRow& row, int count) {
    u64* list = row.list;
    u64(&cells)[MAX_CLUSTER][3] = row.control->cells[row.turn ^ 1];
    int filled = (int)cells[0][2];
    for (u32 rank = 1; rank < row.size; rank++) {
        int length = (int)cells[rank][2];
        for (int i = threadIdx.x; i < length; i += ROW_THREADS) {
            list[filled + i] = cluster_load(&list[i], rank);
        }
        filled += length;
    }
    int size = 2;
    while (size < count) {
        size <<= 1;
    }
    for (int i = count + (int)threadIdx.x; i < size; i += ROW_THREADS) {
        list[i] = ~0ull;
    }
    __syncthreads();
    for (int run = 2; run <= size; run <<= 1) {
        for (int distance = run >> 1; distance > 0; distance >>= 1) {
            for (int pair = threadIdx.x; pair < size / 2; pair += ROW_THREADS) {
                int i = ((pair & ~(distance - 1)) << 1) | (pair & (distance - 1));
                u64 left = list[i];
                u64 right = list[i + distance];
                if ((left > right) == ((i & run) == 0)) {
                    list[i] = right;
                    list[i + distance] = left;
                }
            }
            __syncthreads();
        }
    }
}

#define LIST_PER_THREAD (ROW_LIST / ROW_THREADS)

// The answer, from the tokens of a window that holds it. Leaves the window sorted in the first thread block.
template <bool mass>
SLUICE_INLINE u64 pick_from_list(LogitsRow& row, const Search& search, int count) {
    if (row.rank == 0) {
        sort_list(row, count);
        u64 goal = search.need - search.above;
        if (mass) {
            u64 measures[LIST_PER_THREAD];
            u64 own = 0;
            int first = threadIdx.x * LIST_PER_THREAD;
#pragma unroll
            for (int i = 0; i < LIST_PER_THREAD; i++) {
                measures[i] = first + i < count ? mass_of(row, key_value(key_of(row.list[first + i]))) : 0;
                own += measures[i];
            }
            u64 before = block_prefix_sum(row, own) - own;
            if (before < goal && goal <= before + own) {
                int i = first;
#pragma unroll
                for (int j = 0; j < LIST_PER_THREAD - 1; j++) {
                    before += measures[j];
                    i += before < goal ? 1 : 0;
                }
                tell_cluster(row, row.list[i]);
            }
        } else if (threadIdx.x == 0) {
            tell_cluster(row, row.list[goal - 1]);
        }
    }
    cluster_sync();
    return row.control->decision;
}

// The answer among more equal tokens than a list takes.
template <bool mass>
SLUICE_INLINE u64 pick_of_equals(LogitsRow& row, const Search& search) {
    u64 unit = mass ? mass_of(row, key_value(search.low)) : 1;
    u64 wanted = (search.need - search.above + unit - 1) / unit;
    int id = locate(row, search.low, Target{false, wanted - 1}, [&](float logit, u32 id) {
        u32 key = order_key(logit);
        return WeightParts{0, contains(search, key, order_of(key, id)) ? 1u : 0u};
    });
    if (id >= 0 && threadIdx.x == 0) {
        tell_cluster(row, (u64)id);
    }
    cluster_sync();
    return order_of(search.low, (u32)row.control->decision);
}

// The last of the set's tokens, in the order of preference, that is needed to reach the measure (a count, or a share of the mass); the
// set's own end when all of it does not. search.above then is the measure of what is preferred to the window that
// was sorted; `listed` its length, or 0 when none was.
template <bool mass>
SLUICE_INLINE u64 select_last(LogitsRow& row, Search& search, int& listed) {
    u32 setLow = key_of(search.last);
    listed = 0;
    for (;;) {
        Window window{search.low, search.high};
        if (search.few) {
            window.low = search.tryLow;
        } else if (search.low != search.high) {
            window = choose_window<mass>(row, search);
        }
        search.few = false;
        search.triedWhole = search.triedWhole || (window.low == search.low && window.high == search.high);
        Collected found = collect<mass>(row, search, window);
        if (search.need == 0) {
            search.need = mass_share(search.share, found.inside);
        }
        u64 above = search.above + found.above;
        if (above >= search.need) {
            search.low = window.high + 1;
        } else if (above + found.inside < search.need) {
            if (window.low <= setLow) {
                return search.last;
            }
            search.above = above + found.inside;
            search.high = window.low - 1;
        } else {
            search.above = above;
            search.low = window.low;
            search.high = window.high;
            if (found.count <= ROW_LIST) {
                listed = (int)found.count;
                return pick_from_list<mass>(row, search, listed);
            }
            if (search.low == search.high) {
                return pick_of_equals<mass>(row, search);
            }
        }
    }
}
