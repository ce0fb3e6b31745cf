//! What holds between a replay and a watch of the same points.

mod few;
mod live;
