//! Places in memory for buffers with lives: those that do not live at the same time share it.

use super::BufferId;
use std::cmp::Reverse;

/// Buffers start at multiples of this many elements: whole cache lines.
const ALIGNMENT: usize = 16;

/// Something to be placed.
pub struct Item {
    pub id: BufferId,
    pub size: usize,
    /// The first and the last moment
    pub life: (usize, usize),
}

/// Offsets such that items whose lives meet do not overlap, and the length of all. Larger ones first, each at the lowest place that
/// is free during its life.
pub fn packed(mut items: Vec<Item>) -> (Vec<(BufferId, usize)>, usize) {
    items.sort_by_key(|item| (Reverse(item.size), item.life, item.id));
    // Of all moments only those count at which a life begins or ends
    let mut moments: Vec<usize> = items.iter().flat_map(|item| [item.life.0, item.life.1]).collect();
    moments.sort_unstable();
    moments.dedup();
    let number = |moment: usize| moments.partition_point(|&other| other < moment);
    let mut memory = Memory::new(moments.len());
    let mut offsets = vec![];
    let mut total = 0;
    for Item { id, size, life } in items {
        let (size, life) = (size.next_multiple_of(ALIGNMENT), (number(life.0), number(life.1)));
        let offset = memory.lowest(size, life);
        memory.take((offset, offset + size), life);
        offsets.push((id, offset));
        total = total.max(offset + size);
    }
    (offsets, total)
}

/// Parts of memory, in order; none touches the next.
#[derive(Clone, Default)]
struct Parts(Vec<(usize, usize)>);

impl Parts {
    fn add(&mut self, (from, to): (usize, usize)) {
        let Parts(parts) = self;
        let (first, behind) = (parts.partition_point(|part| part.1 < from), parts.partition_point(|part| part.0 <= to));
        let touched = &parts[first..behind];
        let from = touched.first().map_or(from, |part| part.0.min(from));
        let to = touched.last().map_or(to, |part| part.1.max(to));
        parts.splice(first..behind, [(from, to)]);
    }

    /// The end of the first part that something of that size at an offset would overlap.
    fn obstacle(&self, offset: usize, size: usize) -> Option<usize> {
        let Parts(parts) = self;
        let part = parts.get(parts.partition_point(|part| part.1 <= offset))?;
        (part.0 < offset + size).then_some(part.1)
    }
}

/// What is taken when: a segment tree over the moments (de Berg et al., Computational Geometry, 10.3), the children of node i being
/// 2 i + 1 and 2 i + 2. An item costs by the logarithm of their number.
struct Memory {
    nodes: Vec<Node>,
    moments: usize,
}

#[derive(Clone, Default)]
struct Node {
    /// Taken at all of its moments, by lives that go beyond none of its parents
    throughout: Parts,
    /// Taken at some of them, but for what its parents have throughout
    within: Parts,
}

type Span = (usize, usize);

/// A node's children, and their moments.
fn children(node: usize, (first, last): Span) -> [(usize, Span); 2] {
    let middle = (first + last) / 2;
    [(2 * node + 1, (first, middle)), (2 * node + 2, (middle + 1, last))]
}

fn meet(a: Span, b: Span) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

fn contains(a: Span, b: Span) -> bool {
    a.0 <= b.0 && b.1 <= a.1
}

impl Memory {
    fn new(moments: usize) -> Memory {
        let moments = moments.next_power_of_two();
        Memory { nodes: vec![Node::default(); 2 * moments], moments }
    }

    fn take(&mut self, part: Span, life: Span) {
        let mut pending = vec![(0, (0, self.moments - 1))];
        while let Some((node, span)) = pending.pop() {
            self.nodes[node].within.add(part);
            if contains(life, span) {
                self.nodes[node].throughout.add(part);
            } else {
                pending.extend(children(node, span).into_iter().filter(|&(_, span)| meet(span, life)));
            }
        }
    }

    /// The lowest offset at which so much is free during a life.
    fn lowest(&self, size: usize, life: Span) -> usize {
        let mut taken: Vec<&Parts> = vec![];
        let mut pending = vec![(0, (0, self.moments - 1))];
        while let Some((node, span)) = pending.pop() {
            if contains(life, span) {
                taken.push(&self.nodes[node].within);
            } else {
                taken.push(&self.nodes[node].throughout);
                pending.extend(children(node, span).into_iter().filter(|&(_, span)| meet(span, life)));
            }
        }
        let mut offset = 0;
        while let Some(end) = taken.iter().filter_map(|parts| parts.obstacle(offset, size)).max() {
            offset = end;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Id;

    /// Lives of many kinds: short ones, nested ones as those of a forward and a backward pass, and some that last.
    fn items(count: usize) -> Vec<Item> {
        let life = |i: usize| match i % 3 {
            0 => (i, 2 * count - i),
            1 => (i, i + 1 + i % 7),
            _ => (i % 11, 2 * count - i % 5),
        };
        (0..count).map(|i| Item { id: Id::new(i), size: 1 + i * 7919 % 131, life: life(i) }).collect()
    }

    /// The lowest free place by looking at everything that was placed before.
    fn lowest(mut items: Vec<Item>) -> Vec<(BufferId, usize)> {
        items.sort_by_key(|item| (Reverse(item.size), item.life, item.id));
        let mut placed: Vec<(usize, Item)> = vec![];
        for item in items {
            let meets = |other: &Item| other.life.0 <= item.life.1 && item.life.0 <= other.life.1;
            let long = |item: &Item| item.size.next_multiple_of(ALIGNMENT);
            let free =
                |at: usize| placed.iter().all(|(from, other)| !meets(other) || from + long(other) <= at || at + long(&item) <= *from);
            let at = (0..).step_by(ALIGNMENT).find(|&at| free(at)).expect("memory has no end");
            placed.push((at, item));
        }
        placed.into_iter().map(|(at, item)| (item.id, at)).collect()
    }

    #[test]
    fn every_item_is_at_the_lowest_place_that_is_free() {
        for count in [0, 1, 2, 3, 50, 301] {
            assert_eq!(packed(items(count)).0, lowest(items(count)), "{count} items");
        }
    }
}
