"""The ground-truth study: does the sensitivity list rank layers as measurements at the network's output do?"""
